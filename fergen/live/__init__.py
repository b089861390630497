"""In front of a person: webcam, video, web page."""
