"""A badge's picture: drawn as SVG, rasterized as PNG, described in words."""
