"""Process files, broken and whole, and what the compiler must say of each."""
