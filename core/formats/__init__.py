"""The only reader and writer of each file format. Readers stream and name the file and line of every bad row."""
