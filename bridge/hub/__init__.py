"""The hub's side: one stomp.py connection, its link, and the frames that are written."""
