"""What results say: where time and energy went, how two runs differ, what a change would win."""
