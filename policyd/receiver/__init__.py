"""Who is behind a mail host or a domain, and how many recipients it takes."""
