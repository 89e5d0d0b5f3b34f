"""What people are asked, in the terminal or on a page in the browser, and how their answers are kept."""
