"""What is made of a picture and its mask: cut-out, blur, another background."""
