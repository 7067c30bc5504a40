//! Where to cut a linearisation: what to keep of a first sweep for a second one.
