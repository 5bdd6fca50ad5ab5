"""What runs inside the box, beside the student's code. Only this folder and ftlab are mounted there: no solution is."""
