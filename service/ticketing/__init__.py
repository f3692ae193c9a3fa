"""Tags and notes on tickets that bounces opened: reads what a system tells, writes back."""
