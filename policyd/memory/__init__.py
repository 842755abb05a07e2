"""What was: numbers by the minute and hour, changes of lanes, replies, the trail of a message."""
