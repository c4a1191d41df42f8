"""The compiler (seed 001, section 3.6): parse, validate, resolve inheritance, link, emit."""
