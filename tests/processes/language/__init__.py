"""What is asked of the language of process files."""
