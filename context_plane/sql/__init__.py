"""DuckDB as an engine: how connections are opened, and what SQL a user may write.

Here belong connections (`engine`) and the guard of user-written SQL (`guard`, `syntax`, `functions`, `inference`). What
the SQL is *for* (folds, context specs, source mappings, `plane.sql`) belongs to the packages above. Importing this
package costs nothing; its modules import DuckDB.
"""
