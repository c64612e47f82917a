"""What people see: each file has a `render` that returns a picture of one report for rich to print.

A picture is at most 100 columns wide.
"""
