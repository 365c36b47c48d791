"""What runs inside the box, with the Python of its image and nothing but the standard library and pytest.

Read as text and sent into the box; never imported by the pipeline. It must run on every Python since 3.9.
"""
