; References by markup, wherever a grammar has it
(jsx_opening_element name: (identifier) @reference)
(jsx_self_closing_element name: (identifier) @reference)
(jsx_opening_element name: (member_expression property: (property_identifier) @reference))
(jsx_self_closing_element name: (member_expression property: (property_identifier) @reference))
(jsx_attribute (jsx_expression (identifier) @reference))
