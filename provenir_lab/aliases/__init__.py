"""The names that users of the earlier tools know, as thin layers over the commands of `provenir-lab`."""
