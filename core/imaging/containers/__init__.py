"""Picture containers, reduced to what their pixels need.

Each module has one function ``essential`` that copies the compressed pixels as they are and leaves
everything else behind: EXIF, XMP, IPTC, texts, colour profiles, previews, further pictures, gaps
and what stands behind the end. What comes out depends on the pixels alone as far as the container
allows, so that the same picture under other metadata gives the same bytes. They raise ValueError
where the file is laid out in a way they do not know.
"""
