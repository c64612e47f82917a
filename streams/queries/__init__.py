"""Reports on what a log holds, for the command line. They read beside a running writer and change nothing.

`verify` computes everything again and compares.
"""
