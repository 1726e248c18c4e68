"""Bundles for leaderboards: a trained reader as one zip that answers a file of questions wherever Python is."""
