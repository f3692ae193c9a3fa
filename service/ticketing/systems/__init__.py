"""One module for each ticketing system; ``service.ticketing.adapters`` lists them."""
