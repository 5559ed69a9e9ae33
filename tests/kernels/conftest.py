"""What is not collected: a program that a test runs, because it imports Triton as it is without the interpreter."""

collect_ignore = ["compile_all.py"]
