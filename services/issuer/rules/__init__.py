"""Rules of achievements: what they say, whether they can be met, and what a learner's evidence makes of them. Pure."""
