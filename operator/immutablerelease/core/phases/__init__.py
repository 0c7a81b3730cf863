"""The questions that one decision answers, one module each, in the order of `decide.PHASES`."""
