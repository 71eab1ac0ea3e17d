"""What changes before money is lost: whose score rose and why, and how much of the book is on its way down."""
