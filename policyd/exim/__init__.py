"""The hand on Exim: letting held mail go, reading its queue, printing its lines."""
