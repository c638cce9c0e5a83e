"""Losses as somebody writes them, each in two forms that are equal up to the order of arithmetic, and the wrong ports of them."""
