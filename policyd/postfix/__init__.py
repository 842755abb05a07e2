"""The hands on Postfix: set it up, and let its held mail go."""
