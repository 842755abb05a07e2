"""From blocks of log lines to counters and evidence."""
