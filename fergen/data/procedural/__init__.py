"""Faces drawn from parameters: the data set that ships as code, with its true action units as labels."""
