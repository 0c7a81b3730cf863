"""The demo: real releases on a real cluster under load, and what the end-to-end tests share."""
