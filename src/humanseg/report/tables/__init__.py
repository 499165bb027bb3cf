"""The page's tables: cells and notes, drawn by the templates."""
