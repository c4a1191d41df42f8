"""What is asked of the process compiler."""
