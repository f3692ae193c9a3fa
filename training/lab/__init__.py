"""Makes genuine reports: real mail systems against scripted remotes, the truth known by construction."""
