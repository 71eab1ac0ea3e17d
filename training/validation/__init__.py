"""The validator's battery: whether a fitted card may serve, check by check, with figures, sources and reasons."""
