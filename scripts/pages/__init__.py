"""Pages in a real browser: Chromium without a window, asked over a pipe, with no library between."""
