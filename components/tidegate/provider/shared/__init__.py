"""What both platforms share: shapes of resources, and what refusals say."""
