"""A bundle tried out as a leaderboard would: unpacked elsewhere, with its own packages, without a network, scored."""
