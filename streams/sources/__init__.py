"""Where records come from without a broker: files, tables, standard input, made-up shoppers."""
