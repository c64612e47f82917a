"""What people see of reports: each gives something that rich prints, at most 100 columns wide."""
