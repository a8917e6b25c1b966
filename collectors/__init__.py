"""What is being said? Networks, queries, language, sentiment and spam; gives mentions and counts."""
