; Definitions
(class_declaration name: (identifier) @name) @definition.class
(interface_declaration name: (identifier) @name) @definition.interface
(enum_declaration name: (identifier) @name) @definition.enum
(record_declaration name: (identifier) @name) @definition.class
(annotation_type_declaration name: (identifier) @name) @definition.interface
(method_declaration name: (identifier) @name) @definition.method
(constructor_declaration name: (identifier) @name) @definition.method

; References
(method_invocation name: (identifier) @reference)
(method_invocation object: (identifier) @reference)
(type_identifier) @reference
(marker_annotation name: (identifier) @reference)
(annotation name: (identifier) @reference)

; Imports
(import_declaration (scoped_identifier) @import .)
(import_declaration (scoped_identifier) @import (asterisk))

(package_declaration (scoped_identifier) @package)
(package_declaration (identifier) @package)
