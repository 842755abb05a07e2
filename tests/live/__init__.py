"""Tests against real servers, in labs."""
