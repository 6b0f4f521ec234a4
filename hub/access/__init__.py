"""Who somebody is (`logins`), and what they may do (`principal`). Asked by everything that lets something in or out."""
