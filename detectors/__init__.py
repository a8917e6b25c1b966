"""What is normal, and how strange is this? Pure functions and small classes on arrays of counts."""
