"""Sources of records when there is no broker: files, tables, standard input, made-up shoppers."""
