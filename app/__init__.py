"""The front door: the only room that reads the environment, argv and the clock."""
