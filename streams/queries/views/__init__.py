"""The read model: what the topics say, kept in memory for whoever asks often. Pure: records come in, answers
come out.
"""
