"""The grader: it marks notebooks against the masters and knows nothing of any concept."""
