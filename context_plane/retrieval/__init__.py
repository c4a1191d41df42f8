"""Retrieval: what is indexed of events, and how they are found again by words, by meaning and by filters."""
