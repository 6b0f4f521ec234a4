"""The broker's side: one paho client, its link, and the messages that arrive."""
